package spec

// Types of parameters: the values of [Param.Type].
const (
	String = "string"
	Int    = "int"
	Float  = "float"
	Bool   = "bool"
	List   = "list"
	Object = "object"
)
