// Loaded into a step's process before the step itself: its wall clock is CLOCK_SHIFT_MS ahead, as on another day.
const shift = Number(process.env.CLOCK_SHIFT_MS)
const { now } = Date

Date.now = () => now() + shift
