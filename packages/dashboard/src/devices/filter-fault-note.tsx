import type { FilterFault } from './filter-fault.ts';
import styles from './device-search.module.css';

/** A filter with the place marked at which it is wrong, and the server's words. */
export function FilterFaultNote({ fault }: { readonly fault: FilterFault }) {
  return (
    <div className={styles.fault} role="alert" data-testid="filter-fault">
      <code>
        {fault.before}
        <mark>{fault.from === '' ? '\u00a0' : fault.from}</mark>
      </code>
      <p>{fault.message}</p>
    </div>
  );
}
