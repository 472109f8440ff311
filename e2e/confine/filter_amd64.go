package confine

const (
	arch = 0xc000003e // AUDIT_ARCH_X86_64
	x32  = 0x40000000 // from here on system call numbers are those of the x32 ABI
)
