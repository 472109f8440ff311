package comment

import tfjson "github.com/hashicorp/terraform-json"

func Diff(plan *tfjson.Plan) string { return "" }

func Between(was, is string) string { return "" }
