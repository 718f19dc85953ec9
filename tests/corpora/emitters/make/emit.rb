# What Psych writes: TZ=Europe/Berlin ruby emit.rb FOLDER
require "date"
require "json"
require "yaml"

top = ARGV[0]
folder = File.join(top, "psych-#{Psych::VERSION}")
Dir.mkdir(folder) unless Dir.exist?(folder)
data = ->(kind) { JSON.parse(File.read(File.join(top, "#{kind}.json"))) }
write = ->(kind, value) { File.write(File.join(folder, "#{kind}.yaml"), value.to_yaml) }
shared = data["wave"]
shared["schedules"] = shared["schedules"].first(2)
shared["schedules"][1]["channels"] = shared["schedules"][0]["channels"]
native = data["wave"]
native["schedules"][0]["at"] = Time.utc(2030, 3, 1, 18)
native["schedules"][1]["at"] = Time.local(2030, 3, 2, 9)
of_class = data["wave"]
of_class["schedules"][0]["at"] = DateTime.new(2030, 3, 1, 18)
write["wave", data["wave"]]
write["channel", data["channel"]]
write["shared", shared]
write["copied", JSON.parse(JSON.generate(shared))]
write["native-zone", native]
write["native-class", of_class]
write["symbols", JSON.parse(JSON.generate(data["wave"]), symbolize_names: true)]
{ "loaded" => "wave", "channel-loaded" => "channel" }.each do |kind, file|
  write[kind, YAML.safe_load(File.read(File.join(top, "#{file}.yaml")), permitted_classes: [Time, Date])]
end
