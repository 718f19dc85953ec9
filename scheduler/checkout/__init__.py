"""The files of the repository, the commit they come from, and git: the only wing that touches the work tree.

`source` is the text of one file; `reading` and `writing` are the disk; `git` runs the one program; `remote`
asks for the tip of the branch; `sparse` reads what git keeps off the disk, both through `git_objects`;
`replaced` reads while git replaces files; `history` says whether one commit contains another, `origin` who
wrote a line. `zone_files` reads another release of the zone data.

Imports: `times`, `errors`, `diagnostics`, `wording`.
"""
