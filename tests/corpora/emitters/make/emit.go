// What yaml.v3 and goccy/go-yaml write: TZ=Europe/Berlin GO111MODULE=off go run emit.go FOLDER (on Debian: GOPATH=/usr/share/gocode)
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	goccy "github.com/goccy/go-yaml"
	v3 "gopkg.in/yaml.v3"
)

type object = map[string]interface{}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func data(kind string) (value object) {
	text, err := os.ReadFile(os.Args[1] + "/" + kind + ".json")
	check(err)
	check(json.Unmarshal(text, &value))
	return
}

func entry(wave object, index int) object {
	return wave["schedules"].([]interface{})[index].(object)
}

func main() {
	kinds := []struct {
		name    string
		marshal func(interface{}) ([]byte, error)
		load    func([]byte, interface{}) error
	}{
		{"go-yaml-v3-3.0.1", v3.Marshal, v3.Unmarshal},
		{"goccy-go-yaml-1.9.5", goccy.Marshal, func(t []byte, v interface{}) error { return goccy.Unmarshal(t, v) }},
	}
	for _, kind := range kinds {
		folder := os.Args[1] + "/" + kind.name
		check(os.MkdirAll(folder, 0o755))
		write := func(name string, value interface{}) {
			text, err := kind.marshal(value)
			if err != nil {
				fmt.Println(kind.name, name, err)
				return
			}
			check(os.WriteFile(folder+"/"+name+".yaml", text, 0o644))
		}
		shared := data("wave")
		shared["schedules"] = shared["schedules"].([]interface{})[:2]
		entry(shared, 1)["channels"] = entry(shared, 0)["channels"]
		native := data("wave")
		entry(native, 0)["at"] = time.Date(2030, 3, 1, 18, 0, 0, 0, time.UTC)
		entry(native, 1)["at"] = time.Date(2030, 3, 2, 9, 0, 0, 0, time.Local)
		write("wave", data("wave"))
		write("channel", data("channel"))
		write("shared", shared)
		write("native-zone", native)
		for name, file := range map[string]string{"loaded": "wave", "channel-loaded": "channel"} {
			text, err := os.ReadFile(os.Args[1] + "/" + file + ".yaml")
			check(err)
			var loaded object
			check(kind.load(text, &loaded))
			write(name, loaded)
		}
	}
}
