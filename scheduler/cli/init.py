"""`scheduler init`."""

from __future__ import annotations

from pathlib import Path

import click

from scheduler.app import init as scaffold
from scheduler.cli.main import Context, guarded, pass_context
from scheduler.reporting.terminal import visible
from scheduler.wording import count


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--owner", default="acme", show_default=True, help="The user or organization on GitHub.")
@pass_context
@guarded
def init(context: Context, folder: Path, owner: str) -> None:
    """Make a new repository in DIR, ready for GitHub.

    Waves, channels, settings, workflows, schemas and pages. A file that is there is never written over:
    where one of them exists, nothing is written at all.
    """
    pinned = scaffold.pin()
    texts = scaffold.files(owner, context.clock.now(), pinned)
    scaffold.write(Path(context.directory) / folder, texts)
    click.echo(f"made {count(len(texts), 'file')} in {visible(str(folder))}")
    if pinned.remark is not None:
        click.echo(f"mind: {pinned.remark}")
    click.echo(NEXT.format(folder=visible(str(folder))))


NEXT = """
next:
  cd {folder} && git init -b main
  edit channels/my-channel.yaml, waves/first-wave.yaml and .github/CODEOWNERS
  scheduler validate
  git add . && git commit -m 'Begin'
  git remote add origin URL && git push -u origin main    # the first tick is red: there is no record yet
  scheduler state init           # once; write the lineage that it prints into scheduler.yaml, commit, push
  scheduler doctor               # what is still missing; it asks with the tokens that are set where it runs
docs/setting-up-on-github.md has the rest: tokens, the environment, who may change what."""
