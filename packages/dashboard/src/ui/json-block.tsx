import { prettyJson } from '../format/typed-json.ts';
import styles from './json-block.module.css';

/** JSON to be read; a long one scrolls in its own place, also by the keyboard. */
export function JsonBlock({ label, value }: { readonly label: string; readonly value: unknown }) {
  return (
    <pre className={styles.block} tabIndex={0} aria-label={label}>
      {typeof value === 'string' ? value : prettyJson(value)}
    </pre>
  );
}
