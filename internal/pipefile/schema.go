package pipefile

import (
	"encoding/json"
	"fmt"
)

// shape is a JSON Schema of a value.
type shape map[string]any

var (
	shapeAny      = shape{}
	shapeText     = shape{"type": "string"}
	shapeQueue    = shape{"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}
	shapeDuration = shape{"type": "string", "pattern": `^[+]?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`}
	shapeNames    = shape{"anyOf": []shape{shapeText, {"type": "array", "items": shapeText}, {"type": "null"}}}
	shapeArgv     = shape{"type": "array", "items": shapeText, "minItems": 1}
	shapeRun      = shape{"anyOf": []shape{shapeText, shapeArgv}}
	shapeSecrets  = shape{"anyOf": []shape{shapeSecret, {"type": "array", "items": shapeSecret}, {"type": "null"}}}
	shapeSecret   = shape{"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 100}
	shapeObject   = shape{"type": []string{"object", "null"}}
	shapeEnv      = shape{"type": "object", "propertyNames": shapeName, "additionalProperties": shapeText}
	shapeName     = shape{"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 100}
	shapeCodes    = shape{"anyOf": []shape{shapeWhole(1, 255), {"type": "array", "items": shapeWhole(1, 255)}}}
	shapeBackoff  = shape{"anyOf": []shape{shapeDuration, shapeRef("backoff")}}
	shapeStages   = shape{"type": "array", "items": shapeRef("stage"), "minItems": 1}
	shapeParams   = shape{"type": "object", "propertyNames": shapeName, "additionalProperties": shape{"anyOf": []shape{
		{"type": []string{"string", "number", "boolean", "array"}}, shapeRef("parameter")}}}
	shapeMatrix = shape{"type": "object", "minProperties": 1, "propertyNames": shapeName, "additionalProperties": shape{
		"type": "array", "minItems": 1, "items": shape{"type": []string{"string", "number", "boolean"}}}}
)

func shapeRef(name string) shape       { return shape{"$ref": "#/$defs/" + name} }
func shapeOneOf(words ...string) shape { return shape{"enum": words} }
func shapeWhole(least, most int) shape {
	return shape{"type": "integer", "minimum": least, "maximum": most}
}
func shapeNumber(least, most int) shape {
	return shape{"type": "number", "minimum": least, "maximum": most}
}
func shapeNot(keys ...string) shape { return shape{"not": shape{"required": keys}} }

// Schema returns a JSON Schema, draft 2020-12, of pipeline files. It is made of the tables of keys
// from which files are read.
func Schema() ([]byte, error) {
	// The tables say what each key takes. The rules between keys follow here; the checker has the
	// same.
	stage := shapeKeys(stageKeys, "name")
	paramsNeedTask := shape{"anyOf": []shape{{"required": []string{"task"}}, {"properties": shape{"params": shape{"type": "null"}}}}}
	fans := shape{"anyOf": []shape{shapeNot("max_parallel"), {"required": []string{"for_each"}}, {"required": []string{"matrix"}}}}
	stage["allOf"] = []shape{shapeNot("run", "task"), shapeNot("matrix", "for_each"), paramsNeedTask, fans}
	needs := make(map[string][]string)
	for _, key := range commandKeys {
		needs[key] = []string{"run"}
	}

	stage["dependentRequired"] = needs
	parameter := shapeKeys(parameterKeys)
	parameter["anyOf"] = []shape{{"required": []string{"type"}}, {"required": []string{"default"}}}
	whole := shapeKeys(pipelineKeys, "stages")
	whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	whole["title"] = "pipeline of godags"
	whole["$defs"] = shape{"stage": stage, "defaults": shapeKeys(policyKeys), "parameter": parameter, "backoff": shapeKeys(backoffKeys)}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of pipeline files: %w", err)
	}

	return append(text, '\n'), nil
}

// shapeKeys is the schema of a mapping.
func shapeKeys[T any](keys []key[T], required ...string) shape {
	properties := make(shape)
	for _, k := range keys {
		// A copy: shapes are shared between keys, whose descriptions differ.
		of := shape{"description": k.about}
		for word, v := range k.shape {
			of[word] = v
		}
		properties[k.name] = of
	}

	s := shape{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}
