package engine

// sensitiveVariables are the names of a module's variables that are declared sensitive, and of all that are declared.
func sensitiveVariables(module any) (sensitive, declared map[string]bool) {
	sensitive, declared = map[string]bool{}, map[string]bool{}
	m, _ := module.(map[string]any)
	variables, _ := m["variables"].(map[string]any)
	for name, v := range variables {
		declared[name] = true
		if v, _ := v.(map[string]any); v["sensitive"] == true {
			sensitive[name] = true
		}
	}
	return sensitive, declared
}

// variables masks the values of the root module's variables that are declared sensitive, and of those that are not known
// to be declared.
func (m *masker) variables(values, rootModule any) {
	sensitive, declared := sensitiveVariables(rootModule)
	all, _ := values.(map[string]any)
	for name, v := range all {
		v, ok := v.(map[string]any)
		if !ok {
			all[name] = m.secret(all[name])
		} else if value, there := v["value"]; there && (sensitive[name] || !declared[name]) {
			v["value"] = m.secret(value)
		}
	}
}

// module masks what is written out in a module of the configuration: defaults of sensitive variables, arguments for
// those of called modules, sensitive outputs.
func (m *masker) module(module any) {
	all, _ := module.(map[string]any)
	sensitive, _ := sensitiveVariables(module)
	variables, _ := all["variables"].(map[string]any)
	for name := range sensitive {
		if v, _ := variables[name].(map[string]any); v["default"] != nil {
			v["default"] = m.secret(v["default"])
		}
	}
	outputs, _ := all["outputs"].(map[string]any)
	for _, o := range outputs {
		if o, _ := o.(map[string]any); o["sensitive"] == true {
			m.constants(o["expression"], true)
		}
	}
	calls, _ := all["module_calls"].(map[string]any)
	for _, c := range calls {
		call, _ := c.(map[string]any)
		theirs, _ := sensitiveVariables(call["module"])
		arguments, _ := call["expressions"].(map[string]any)
		for name, argument := range arguments {
			if theirs[name] {
				m.constants(argument, true)
			}
		}
		m.module(call["module"])
	}
}

// constants goes through expressions and masks the values that are written out in them: all of them, or the secrets.
func (m *masker) constants(value any, all bool) {
	switch v := value.(type) {
	case []any:
		for _, member := range v {
			m.constants(member, all)
		}
	case map[string]any:
		for key, member := range v {
			switch {
			case key != "constant_value" && key != "default":
				m.constants(member, all)
			case all:
				v[key] = m.secret(member)
			default:
				v[key] = m.literals(member)
			}
		}
	}
}
