// What js-yaml or npm yaml writes: TZ=Europe/Berlin node emit.cjs FOLDER js-yaml|yaml (found from the working folder)
const fs = require("fs"), path = require("path");
const [top, name] = process.argv.slice(2);
const from = require("module").createRequire(path.join(process.cwd(), "x.js"));
const yaml = from(name);
const version = JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`)).version;
const dump = yaml.dump || yaml.stringify, load = yaml.load || yaml.parse;
const folder = path.join(top, `${name === "yaml" ? "npm-yaml" : name}-${version}`);
const data = (kind) => JSON.parse(fs.readFileSync(path.join(top, kind + ".json")));
const write = (kind, value, options) => {
  fs.mkdirSync(folder, { recursive: true });
  let text;
  try { text = dump(value, options); } catch (e) { console.log(folder, kind, e.message); return; }
  fs.writeFileSync(path.join(folder, kind + ".yaml"), text);
};
const shared = data("wave");
shared.schedules = shared.schedules.slice(0, 2);
shared.schedules[1].channels = shared.schedules[0].channels;
const native = data("wave");
native.schedules[0].at = new Date(Date.UTC(2030, 2, 1, 18));
native.schedules[1].at = new Date(2030, 2, 2, 9);
write("wave", data("wave"));
write("channel", data("channel"));
write("shared", shared);
write("copied", shared, { noRefs: true, aliasDuplicateObjects: false });
write("native-zone", native);
for (const [kind, file] of [["loaded", "wave"], ["channel-loaded", "channel"]])
  write(kind, load(fs.readFileSync(path.join(top, file + ".yaml"), "utf8")));
