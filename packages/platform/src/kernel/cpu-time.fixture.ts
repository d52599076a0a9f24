/**
 * Milliseconds of CPU that some work takes in this thread, the least of three times: what else the machine does, and compiling, is not in
 * it. For tests that compare as much work on a small and on a large structure: what a work takes by itself says more of the machine. The
 * kernel counts in ticks of up to 10 ms: the work should take a hundred.
 */
export function cpuMsOf(work: () => void): number {
  let leastMs = Infinity;
  for (let time = 0; time < 3; time++) {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    leastMs = Math.min(leastMs, (user + system) / 1_000);
  }
  return Math.max(leastMs, 10);
}
