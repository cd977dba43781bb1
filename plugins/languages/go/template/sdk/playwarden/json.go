package playwarden

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Text decodes a JSON string, and returns whether it is one.
func Text(raw string) (text string, ok bool) {
	if !strings.HasPrefix(raw, `"`) {
		return "", false
	}
	return text, json.Unmarshal([]byte(raw), &text) == nil
}

// AppendQuoted adds a text as a JSON string. Unlike encoding/json it escapes nothing without need.
func AppendQuoted(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c >= ' ':
			to = append(to, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			to = append(to, '\\', "btn_fr"[c-'\b'])
		default:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(to, '"')
}

// AppendJSON adds a JSON value in the one form that all SDKs write: no blanks, keys sorted, nothing escaped without need.
func AppendJSON(to []byte, raw string) []byte {
	decoder := json.NewDecoder(strings.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return append(to, "null"...)
	}
	return appendValue(to, value)
}

func appendValue(to []byte, value any) []byte {
	switch value := value.(type) {
	case map[string]any:
		to = append(to, '{')
		for i, key := range slices.Sorted(maps.Keys(value)) {
			if i > 0 {
				to = append(to, ',')
			}
			to = append(AppendQuoted(to, key), ':')
			to = appendValue(to, value[key])
		}
		return append(to, '}')
	case []any:
		to = append(to, '[')
		for i, element := range value {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, element)
		}
		return append(to, ']')
	case string:
		return AppendQuoted(to, value)
	case json.Number:
		return appendNumber(to, string(value))
	case bool:
		return strconv.AppendBool(to, value)
	}
	return append(to, "null"...)
}

func appendNumber(to []byte, text string) []byte {
	// Whole numbers of 64 bits stay what they are.
	_, errSigned := strconv.ParseInt(text, 10, 64)
	_, errUnsigned := strconv.ParseUint(text, 10, 64)
	if (errSigned == nil || errUnsigned == nil) && text != "-0" {
		return append(to, text...)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return append(to, "null"...)
	}
	mantissa, power, _ := strings.Cut(strconv.FormatFloat(number, 'e', -1, 64), "e")
	exponent, err := strconv.Atoi(power)
	if err == nil && (exponent < -5 || exponent > 15) {
		if exponent > 0 {
			mantissa += "e+"
		} else {
			mantissa += "e"
		}
		return strconv.AppendInt(append(to, mantissa...), int64(exponent), 10)
	}
	plain := strconv.FormatFloat(number, 'f', -1, 64)
	if !strings.Contains(plain, ".") {
		plain += ".0"
	}
	return append(to, plain...)
}
