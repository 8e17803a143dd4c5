// render: what Nomad makes of a job's templates. It reads {"env": {...}, "variables": {path: {...}}, "templates": {name: text}} and
// writes {name: text}. The functions are those of Nomad's templates that the jobs use.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

type world struct {
	Env       map[string]string            `json:"env"`
	Variables map[string]map[string]string `json:"variables"`
	Templates map[string]string            `json:"templates"`
}

func main() {
	var in world
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		log.Fatal(err)
	}
	functions := template.FuncMap{
		"env":            func(name string) string { return in.Env[name] },
		"nomadVar":       func(path string) map[string]string { return in.Variables[path] },
		"nomadVarExists": func(path string) bool { return in.Variables[path] != nil },
	}
	out := map[string]string{}
	for name, text := range in.Templates {
		var rendered strings.Builder
		parsed, err := template.New(name).Funcs(functions).Parse(text)
		if err == nil {
			err = parsed.Execute(&rendered, nil)
		}
		if err != nil {
			log.Fatal(err)
		}
		out[name] = rendered.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
