package main

import (
	"slices"
	"strings"
)

// nearest returns the word that is most likely meant by text, empty if none is
// near: at most a third of its letters wrong, or two.
func nearest(text string, words []string) string {
	best, bestDistance := "", 0

	for _, word := range words {
		distance := editDistance(strings.ToLower(text), strings.ToLower(word))
		if best == "" || distance < bestDistance {
			best, bestDistance = word, distance
		}
	}

	const third = 3

	if best == "" || bestDistance > max(2, len(text)/third) {
		return ""
	}

	return best
}

// suggest ends a message about an unknown word.
func suggest(text string, words []string) string {
	if word := nearest(text, words); word != "" {
		return "; did you mean " + word + "?"
	}

	if len(words) == 0 {
		return ""
	}

	return "; known are " + strings.Join(words, ", ")
}

// editDistance counts the bytes to insert, delete, replace, or swap with their
// neighbour, to make b of a.
func editDistance(a, b string) int {
	// Only three rows of the table are needed at a time.
	before := make([]int, len(b)+1)
	above := make([]int, len(b)+1)

	for j := range above {
		above[j] = j
	}

	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i

		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}

			row[j] = slices.Min([]int{replace, above[j] + 1, row[j-1] + 1})

			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}

		before, above = above, row
	}

	return above[len(b)]
}
