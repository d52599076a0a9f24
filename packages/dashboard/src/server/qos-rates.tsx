import type { ByQos } from '../api/stats.ts';
import { formatCompact } from '../format/number-format.ts';
import styles from './qos-rates.module.css';

/** How a rate divides between the qualities of service. */
export function QosRates({ rates }: { readonly rates: ByQos | undefined }) {
  if (rates === undefined) return null;
  const parts = [
    ['0', rates.qos0],
    ['1', rates.qos1],
    ['2', rates.qos2],
  ] as const;
  return (
    <span className={styles.rates}>
      {parts.map(([qos, rate]) => (
        <span key={qos} data-qos={qos} title={`Quality of service ${qos}`}>
          <b>Q{qos}</b> {formatCompact(rate)}
        </span>
      ))}
    </span>
  );
}
