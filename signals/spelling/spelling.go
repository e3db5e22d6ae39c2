// Package spelling finds the word that somebody meant who wrote another, so that
// an error can name it.
package spelling

import (
	"slices"
	"strings"
)

// Nearest returns the word that is most likely meant by text, empty if none is
// near: at most a third of its letters wrong, or two, and never all of them. If
// none is, the first word that goes on where text ends is meant: agent is short
// for agent_id.
func Nearest(text string, words []string) string {
	text = strings.ToLower(text)

	const third = 3

	best, most := "", max(2, len(text)/third)

	for _, word := range words {
		long, short := max(len(text), len(word)), min(len(text), len(word))
		// A text of any length costs no more than the words that it may stand for.
		if long-short > most {
			continue
		}

		if distance := Distance(text, strings.ToLower(word)); distance <= most && distance < long {
			best, most = word, distance-1
		}
	}

	if best != "" || text == "" {
		return best
	}

	for _, word := range words {
		if strings.HasPrefix(strings.ToLower(word), text+"_") {
			return word
		}
	}

	return ""
}

// Suggest ends a message about an unknown word.
func Suggest(text string, words []string) string {
	if word := Nearest(text, words); word != "" {
		return "; did you mean " + word + "?"
	}

	if len(words) == 0 {
		return ""
	}

	return "; known are " + strings.Join(words, ", ")
}

// Distance counts the bytes to insert, delete, replace, or swap with their
// neighbour, to make b of a.
func Distance(a, b string) int {
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
