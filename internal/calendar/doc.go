// Package calendar knows when something written as a cron expression happens next, and when a weekly window is open. Both
// follow the clock on the wall of one time zone, through its changes to summer time and back. It holds nothing and asks no
// clock.
package calendar
