// Stops the emulator of GitHub.
process.kill(Number(process.env.STATE_pid))
