// Package dialecttest is what the tests of every dialect are made of: they read
// the fixtures beside a dialect, compare with golden files what these are
// decoded to, and keep the events as history does before they are encoded back.
// It works in the folder of the test that uses it. Only tests import it.
package dialecttest
