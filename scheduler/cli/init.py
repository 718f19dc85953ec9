"""`scheduler init`."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

import click

from scheduler.app import init as scaffold
from scheduler.app.preconditions import slug_of
from scheduler.checkout import reading
from scheduler.cli.main import Context, with_context
from scheduler.reporting.terminal import visible
from scheduler.wording import count, listed


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--owner", default="acme", show_default=True, help="User or organization on GitHub.")
@with_context
def init(context: Context, folder: Path, owner: str) -> None:
    """Create a new repository in DIR, ready for GitHub.

    It has waves, channels, settings, workflows, schemas and documentation. DIR may be a new folder, or one
    with nothing but `.git`, README, LICENSE and .gitignore, which are kept. In a folder of a clone, the
    workflows are written at the top of the clone.
    """
    target = Path(context.directory) / folder
    below = reading.folder_below_top(target)
    pinned = scaffold.pin()
    texts = scaffold.files(owner, context.clock.now(), pinned, below)
    kept = scaffold.demand_room(target)
    for name in kept:
        del texts[f"{below}/{name}" if below else name]
    scaffold.write(Path(os.path.realpath(reading.top_of(target) or target)) if below else target, texts)
    click.echo(f"created {count(len(texts), 'file')} in {visible(str(folder))}")
    if kept:
        ignore = " (add `.venv/`, `queue.db*` and `.state.json.lock` to it)" if ".gitignore" in kept else ""
        click.echo(f"note: {listed(kept)} stayed as before{ignore}")
    if pinned.remark is not None:
        click.echo(f"note: {pinned.remark}")
    if below:
        places = {
            "folder": below,
            "slug": slug_of(below),
            "owner": owner,
            "shown": visible(quote(str(folder))),
        }
        click.echo(NEXT_IN_A_CLONE.format(**places))
    else:
        is_begun = os.path.lexists(target / ".git")
        begin = "" if is_begun else " && git init -b main"
        click.echo(NEXT.format(folder=visible(quote(str(folder))), begin=begin))


NEXT = """
next:
  cd {folder}{begin}
  edit channels/my-channel.yaml, waves/first-wave.yaml and .github/CODEOWNERS
  scheduler validate
  git add . && git commit -m 'Begin'
  git remote add origin URL && git push -u origin main    # the first run fails: there is no state yet
  scheduler state init           # once; put the lineage that it prints into scheduler.yaml, commit, push
  scheduler doctor               # shows what is missing; it uses the tokens that are set where it runs
docs/setting-up-on-github.md has the rest: tokens, the environment, permissions."""
NEXT_IN_A_CLONE = """
The workflows are at the top of the clone, where GitHub reads them: .github/workflows/reconcile-{slug}.yml and
validate-{slug}.yml, with -C {folder}. The state has a branch of its own, scheduler-state-{slug}.

next:
  cd {shown}
  edit channels/my-channel.yaml and waves/first-wave.yaml
  add to .github/CODEOWNERS: `/{folder}/channels/ @{owner}/publishing-admins`, and so for /.github/,
    /{folder}/scheduler.yaml and /{folder}/requirements*.txt; to .github/dependabot.yml: pip in /{folder}
  scheduler validate
  git add . :/.github && git commit -m 'Begin' && git push    # the first run fails: there is no state yet
  scheduler state init           # once; put the lineage that it prints into scheduler.yaml, commit, push
  scheduler doctor               # shows what is missing; it uses the tokens that are set where it runs
docs/setting-up-on-github.md has the rest: tokens, the environment, permissions."""
