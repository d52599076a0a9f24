/**
 * Milliseconds of CPU that some work takes in this thread, the least of three times: what else the machine does, and compiling, is not in
 * it. For tests that compare as much work on a small and on a large structure, where the work itself cannot be counted: others still share
 * the caches, so that the bound must be far from both what is and what would be wrong. Kernels may count in ticks of 10 ms: less is 10.
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
