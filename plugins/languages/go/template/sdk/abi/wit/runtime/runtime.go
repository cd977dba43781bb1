// Package runtime gives the generated code its memory.
//
// The host asks for memory (cabi_realloc) in the middle of a call into or out of the plugin. The component may not call
// anything then, not even the clock, which Go's collector reads: a collection at this moment would end the plugin. So this
// memory is not Go's: it comes from an arena beside Go's heap, in code that neither allocates, nor grows its stack, nor can
// be preempted. Package playwarden copies out of it what the plugin gets to see, and then takes it back.
package runtime

import (
	"runtime"
	"unsafe"
)

//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

// Abort ends the plugin by a trap.
//
//go:linkname Abort runtime.abort
func Abort()

// chunk heads a piece of memory of the arena.
type chunk struct {
	next *chunk
	size uintptr
}

const (
	headSize  = 16
	chunkSize = 64<<10 - headSize
)

var (
	first chunk    // without memory of its own
	at    = &first // the chunk in use
	used  uintptr  // of the chunk in use
	ready bool     // whether Go's runtime has begun
)

func init() { ready = true }

// Mark is a state of the arena.
type Mark struct {
	at   *chunk
	used uintptr
}

// Marked returns the present state.
func Marked() Mark { return Mark{at, used} }

// Release takes back all that was handed out since the mark.
func Release(mark Mark) { at, used = mark.at, mark.used }

//go:wasmexport cabi_realloc
//go:nosplit
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if !ready {
		// What the WASI adapter keeps for ever.
		return unsafe.Pointer((uintptr(sbrk(size+align)) + align - 1) &^ (align - 1))
	}
	used = (used + align - 1) &^ (align - 1)
	for at.size < used+size {
		if at.next == nil {
			grown := max(chunkSize, size)
			memory := (*chunk)(sbrk(grown + headSize))
			if memory == nil {
				return nil // the host ends the call with a trap
			}
			memory.next, memory.size = nil, grown
			at.next = memory
		}
		at, used = at.next, 0
	}
	memory := unsafe.Add(unsafe.Pointer(at), headSize+used)
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(memory), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	}
	used += size
	return memory
}

// Allocate returns memory of Go's, which stays where it is until it is unpinned.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Words of 8 bytes are aligned for every type of the contract.
	memory := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(memory)
	return memory
}

// Unpin is where other runtimes let go of a call's arguments. Here Release does.
func Unpin() {}
