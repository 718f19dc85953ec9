"""What is recorded: records, what each event makes of them, intents, and the text they are kept as.

`record` has the structs and the legal transitions; `outcomes` and `jobs` say what an answer or a worker's
report makes of a record; `intent` is what must be durable before a request leaves; `codec` reads and writes
the text, `header` its first line alone; `stores` is where it lives.

Imports: `times`, `errors`, `failpoints`, `checkout`, `desired`.
"""
