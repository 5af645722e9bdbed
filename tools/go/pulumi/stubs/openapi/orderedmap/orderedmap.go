// Package orderedmap declares the map that Pulumi names. It is always empty.
package orderedmap

import "iter"

// Map is empty.
type Map[K comparable, V any] struct{}

// New gives an empty map.
func New[K comparable, V any]() *Map[K, V] { return &Map[K, V]{} }

// Len is 0.
func Len[K comparable, V any](*Map[K, V]) int { return 0 }

// Get finds nothing.
func (*Map[K, V]) Get(K) (value V, found bool) { return value, false }

// GetOrZero finds nothing.
func (*Map[K, V]) GetOrZero(K) (value V) { return value }

// Set does nothing.
func (*Map[K, V]) Set(K, V) (previous V, found bool) { return previous, false }

// Delete does nothing.
func (*Map[K, V]) Delete(K) (previous V, found bool) { return previous, false }

// FromOldest yields nothing.
func (*Map[K, V]) FromOldest() iter.Seq2[K, V] { return func(func(K, V) bool) {} }

// KeysFromOldest yields nothing.
func (*Map[K, V]) KeysFromOldest() iter.Seq[K] { return func(func(K) bool) {} }
