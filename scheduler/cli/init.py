"""`scheduler init`."""

from __future__ import annotations

from pathlib import Path

import click

from scheduler.app import init as scaffold
from scheduler.cli.main import Context, with_context
from scheduler.reporting.terminal import visible
from scheduler.wording import count


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--owner", default="acme", show_default=True, help="User or organization on GitHub.")
@with_context
def init(context: Context, folder: Path, owner: str) -> None:
    """Create a new repository in DIR, ready for GitHub.

    It has waves, channels, settings, workflows, schemas and documentation. If one of the files exists,
    nothing is written.
    """
    pinned = scaffold.pin()
    texts = scaffold.files(owner, context.clock.now(), pinned)
    scaffold.write(Path(context.directory) / folder, texts)
    click.echo(f"created {count(len(texts), 'file')} in {visible(str(folder))}")
    if pinned.remark is not None:
        click.echo(f"note: {pinned.remark}")
    click.echo(NEXT.format(folder=visible(str(folder))))


NEXT = """
next:
  cd {folder} && git init -b main
  edit channels/my-channel.yaml, waves/first-wave.yaml and .github/CODEOWNERS
  scheduler validate
  git add . && git commit -m 'Begin'
  git remote add origin URL && git push -u origin main    # the first run fails: there is no state yet
  scheduler state init           # once; put the lineage that it prints into scheduler.yaml, commit, push
  scheduler doctor               # shows what is missing; it uses the tokens that are set where it runs
docs/setting-up-on-github.md has the rest: tokens, the environment, permissions."""
