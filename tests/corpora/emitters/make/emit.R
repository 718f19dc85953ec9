# What R yaml writes: Rscript emit.R FOLDER
library(yaml)
top <- commandArgs(TRUE)[1]
folder <- file.path(top, paste0("r-yaml-", packageVersion("yaml")))
dir.create(folder, showWarnings = FALSE)
text <- function(name) paste(readLines(file.path(top, name), encoding = "UTF-8"), collapse = "\n")
# A JSON text is YAML as well, and Debian's R has no other reader of it.
data <- function(kind) yaml.load(text(paste0(kind, ".json")))
write <- function(kind, value, ...) {
  out <- file(file.path(folder, paste0(kind, ".yaml")), "wb")
  writeBin(charToRaw(as.yaml(value, ...)), out)
  close(out)
}
logical <- function(x) structure(ifelse(x, "true", "false"), class = "verbatim")
native <- data("wave")
native$schedules[[1]]$at <- as.POSIXct("2030-03-01 18:00:00", tz = "UTC")
native$schedules[[2]]$at <- as.POSIXct("2030-03-02 09:00:00", tz = "Europe/Berlin")
shared <- data("wave")
shared$schedules <- shared$schedules[1:2]
shared$schedules[[2]]$channels <- shared$schedules[[1]]$channels
write("wave", data("wave"))
write("wave-with-handlers", data("wave"), handlers = list(logical = logical))
write("channel", data("channel"))
write("channel-with-handlers", data("channel"), handlers = list(logical = logical))
write("shared", shared, handlers = list(logical = logical))
write("native-class", native, handlers = list(logical = logical))
write("loaded", yaml.load(text("wave.yaml")), handlers = list(logical = logical))
write("channel-loaded", yaml.load(text("channel.yaml")), handlers = list(logical = logical))
