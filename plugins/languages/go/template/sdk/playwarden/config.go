package playwarden

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	wit_runtime "go.bytecodealliance.org/pkg/wit/runtime"
	wit_types "go.bytecodealliance.org/pkg/wit/types"

	"project/build/gen/imports/playwarden_plugin_config"
)

// Problem of the configuration. Its Pointer is `/max-failed` for that key and "" for the whole.
type Problem struct {
	Warning bool // The plugin is used all the same.
	Pointer string
	Message string
}

// Rules is what a configuration may have: what is wrong with keys that are each right.
type Rules interface{ Problems() []Problem }

// LoadConfig reads the plugin's `config` of runner.toml into a struct, and returns all that is wrong with it. Export does
// so before the first call. A field has its key as a tag; what it holds before is the default, a pointer is nil without
// its key. Types are uint32, float64, bool, string and []string, and pointers to them; `words` has all that a string may be:
//
//	type config struct {
//		MaxFailed *uint32 `config:"max-failed"`
//		Window    string  `config:"window" words:"run,play"`
//		Groups    []string `config:"groups"`
//	}
func LoadConfig(config any) []Problem {
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(configText()), &values); err != nil {
		return []Problem{{Message: fmt.Sprintf("must be a table: %v", err)}}
	}
	var keys []string
	fields := map[string]int{}
	target := reflect.ValueOf(&struct{}{}).Elem()
	if config != nil {
		target = reflect.ValueOf(config).Elem()
	}
	for i := range target.NumField() {
		key := target.Type().Field(i).Tag.Get("config")
		keys = append(keys, key)
		fields[key] = i
	}

	var unknown, wrong []Problem
	for _, key := range slices.Sorted(maps.Keys(values)) {
		pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		if i, ok := fields[key]; !ok {
			unknown = append(unknown, Problem{Pointer: pointer, Message: unknownKey(key, keys)})
		} else {
			words := target.Type().Field(i).Tag.Get("words")
			wrong = append(wrong, setField(target.Field(i), words, values[key], pointer)...)
		}
	}
	problems := append(unknown, wrong...)
	if rules, ok := config.(Rules); ok && len(problems) == 0 {
		problems = rules.Problems()
	}
	return problems
}

func configText() string {
	defer wit_runtime.Release(wit_runtime.Marked())
	text := playwarden_plugin_config.Get("")
	if text.Tag() == wit_types.OptionNone {
		return "{}"
	}
	return CopyText(text.Some())
}

var isLoaded = false
var loadError error

// Configured reads the configuration once, and returns why the plugin cannot work with it.
func Configured() error {
	if !isLoaded {
		isLoaded = true
		for _, problem := range LoadConfig(settings) {
			if !problem.Warning && loadError == nil {
				loadError = fmt.Errorf("config%s: %s", problem.Pointer, problem.Message)
			}
		}
	}
	return loadError
}

// ConfigProblems returns all that is wrong with the configuration.
func ConfigProblems() []Problem { return LoadConfig(settings) }

func setField(field reflect.Value, words string, raw json.RawMessage, pointer string) []Problem {
	wrong := func(format string, values ...any) []Problem {
		return []Problem{{Pointer: pointer, Message: fmt.Sprintf(format, values...)}}
	}
	if field.Kind() == reflect.Pointer {
		if string(raw) == "null" {
			return nil
		}
		value := reflect.New(field.Type().Elem())
		if problems := setField(value.Elem(), words, raw, pointer); problems != nil {
			return problems
		}
		field.Set(value)
		return nil
	}
	what := describe(raw)
	switch field.Kind() {
	case reflect.Uint32:
		if !strings.HasPrefix(what, "integer") {
			return wrong("invalid type: %s, expected u32", what)
		}
		number, err := strconv.ParseUint(string(raw), 10, 32)
		if err != nil {
			return wrong("invalid value: %s, expected u32", what)
		}
		field.SetUint(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(string(raw), 64)
		if err != nil {
			return wrong("invalid type: %s, expected f64", what)
		}
		field.SetFloat(number)
	case reflect.Bool:
		if !strings.HasPrefix(what, "boolean") {
			return wrong("invalid type: %s, expected a boolean", what)
		}
		field.SetBool(string(raw) == "true")
	case reflect.String:
		text, ok := Text(string(raw))
		switch {
		case !ok && words != "":
			return wrong("invalid type: %s, expected string or map", what)
		case !ok:
			return wrong("invalid type: %s, expected a string", what)
		case words != "" && !slices.Contains(strings.Split(words, ","), text):
			return wrong("`%s` is not one of `%s`", text, strings.ReplaceAll(words, ",", "`, `"))
		}
		field.SetString(text)
	case reflect.Slice:
		var items []json.RawMessage
		if what != "sequence" {
			return wrong("invalid type: %s, expected a sequence", what)
		}
		if err := json.Unmarshal(raw, &items); err != nil {
			return wrong("%v", err)
		}
		list := reflect.MakeSlice(field.Type(), len(items), len(items))
		for i, item := range items {
			if problems := setField(list.Index(i), words, item, fmt.Sprintf("%s/%d", pointer, i)); problems != nil {
				return problems
			}
		}
		field.Set(list)
	default:
		panic("a configuration has no fields of type " + field.Type().String())
	}
	return nil
}

// describe says what a value is: `string "many"`.
func describe(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		text, _ := Text(string(raw))
		return "string " + string(AppendQuoted(nil, text))
	case '{':
		return "map"
	case '[':
		return "sequence"
	case 'n':
		return "null"
	case 't', 'f':
		return fmt.Sprintf("boolean `%s`", raw)
	}
	if strings.ContainsAny(string(raw), ".eE") {
		return fmt.Sprintf("floating point `%s`", raw)
	}
	return fmt.Sprintf("integer `%s`", raw)
}

func unknownKey(key string, known []string) string {
	nearest, least := "", math.MaxInt
	for _, word := range known {
		if wrong := distance(key, word); wrong < least || (wrong == least && word < nearest) {
			nearest, least = word, wrong
		}
	}
	// A third of the letters wrong is no slip of the pen any more.
	if nearest != "" && least*3 <= max(len(key), 3) {
		return fmt.Sprintf("unknown key; did you mean `%s`?", nearest)
	}
	return "unknown key; there are " + strings.Join(known, ", ")
}

// distance returns how many letters must be changed, put in or left out to make one word of the other.
func distance(from, to string) int {
	letters := []rune(to)
	row := make([]int, len(letters)+1)
	for j := range row {
		row[j] = j
	}
	for i, a := range []rune(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j, b := range letters {
			replaced := diagonal
			if a != b {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(letters)]
}

// Schema returns the JSON Schema of the configuration.
func Schema() string {
	if settings == nil {
		return ""
	}
	kinds := map[reflect.Kind]any{
		reflect.Uint32:  map[string]any{"type": "integer", "minimum": 0, "maximum": uint32(math.MaxUint32)},
		reflect.Float64: map[string]any{"type": "number"},
		reflect.Bool:    map[string]any{"type": "boolean"},
		reflect.String:  map[string]any{"type": "string"},
	}
	properties := map[string]any{}
	structure := reflect.TypeOf(settings).Elem()
	for i := range structure.NumField() {
		field := structure.Field(i)
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		isList := kind.Kind() == reflect.Slice
		if isList {
			kind = kind.Elem()
		}
		property := kinds[kind.Kind()]
		if words := field.Tag.Get("words"); words != "" {
			property = map[string]any{"enum": strings.Split(words, ",")}
		}
		if isList {
			property = map[string]any{"type": "array", "items": property}
		}
		properties[field.Tag.Get("config")] = property
	}
	schema, err := json.Marshal(map[string]any{
		"type": "object", "additionalProperties": false, "properties": properties,
	})
	if err != nil {
		panic(errors.Join(errors.New("the schema is no JSON"), err))
	}
	return string(schema)
}
