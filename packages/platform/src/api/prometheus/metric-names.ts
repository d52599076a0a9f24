import type { LabelMatcher } from '../../promql/expression.ts';
import { labelTest, NAME_LABEL } from '../../promql/label-match.ts';

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

/**
 * Tells whether a metric fits what is said of `__name__`, by any of the ways to spell it: one of them is what is looked for, and none is
 * what is left out.
 */
export function nameTest(matchers: readonly LabelMatcher[]): (spellings: readonly string[]) => boolean {
  const tests = matchers
    .filter(({ label }) => label === NAME_LABEL)
    .map((matcher) => {
      const test = labelTest([matcher]);
      const fits = (name: string): boolean => test({ [NAME_LABEL]: name });
      const isWanted = !matcher.operator.startsWith('!');
      return (names: readonly string[]): boolean => (isWanted ? names.some(fits) : names.every(fits));
    });
  return (names) => tests.every((test) => test(names));
}
