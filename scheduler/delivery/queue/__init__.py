"""Jobs for channels without a repository: the embedded queue, brokers by Celery, and the worker."""
