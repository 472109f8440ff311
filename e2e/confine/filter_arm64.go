package confine

const (
	arch = 0xc00000b7 // AUDIT_ARCH_AARCH64
	x32  = 0x40000000 // no such ABI here, and no such numbers
)
