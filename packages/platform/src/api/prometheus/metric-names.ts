const VALID = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/**
 * A metric by a name that PromQL takes without quotes: other characters become `_`, and one before a digit at the beginning:
 * `cpu.usage (%)` is `cpu_usage____`. Several metrics of one device may share a name then, and only the first of them is seen.
 * In a selector the metric's own name does too: `{"cpu.usage (%)"}`.
 */
export function promqlName(metric: string): string {
  if (VALID.test(metric)) return metric;
  const safe = metric.replaceAll(/[^a-zA-Z0-9_:]/g, '_');
  return /^\d/.test(safe) ? `_${safe}` : safe;
}
