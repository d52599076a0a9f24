import type { ShadowOrigin } from '../api/shadows.ts';
import styles from './shadow.module.css';

/** What of a shadow does not fit the schema of the device's type. */
export function ShadowFaults({ origin }: { readonly origin: ShadowOrigin }) {
  const faults = [
    ['What is inherited does not reach the device, since it does not fit the schema of its type', origin.inheritedFault],
    ['What is desired does not fit the schema of its type, which may be younger', origin.desiredFault],
    ['What is reported does not fit the schema of its type', origin.reportedFault],
  ].filter((fault): fault is [string, string] => fault[1] !== undefined);
  if (faults.length === 0) return null;
  return (
    <ul className={styles.faults} data-testid="shadow-faults">
      {faults.map(([title, fault]) => (
        <li key={title}>
          <strong>{title}:</strong> {fault}
        </li>
      ))}
    </ul>
  );
}
