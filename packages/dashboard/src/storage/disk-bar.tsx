import type { Storage } from '../api/storage.ts';
import { formatBytes } from '../format/number-format.ts';
import { BAR_PARTS } from './storage-words.ts';
import styles from './storage.module.css';

/** What of the disk is whose: ours by part, that of others, and what is free. */
export function DiskBar({ storage: { volume, parts } }: { readonly storage: Storage }) {
  const ours = BAR_PARTS.map(({ keys, label, color }) => ({
    label,
    color,
    bytes: keys.reduce((sum, key) => sum + parts[key].bytes, 0),
  }));
  const sum = ours.reduce((bytes, part) => bytes + part.bytes, 0);
  const others = Math.max(0, volume.sizeBytes - volume.freeBytes - sum);
  const shown = [...ours, { label: 'not ours', color: 'var(--line-strong)', bytes: others }].filter(({ bytes }) => bytes > 0);
  return (
    <div>
      <div
        className={styles.bar}
        role="img"
        aria-label={shown.map(({ label, bytes }) => `${label} ${formatBytes(bytes)}`).join(', ')}
      >
        {shown.map(({ label, color, bytes }) => (
          <i key={label} title={`${label}: ${formatBytes(bytes)}`} style={{ flexGrow: bytes, background: color }} />
        ))}
        <i className={styles.free} style={{ flexGrow: volume.freeBytes }} title={`free: ${formatBytes(volume.freeBytes)}`} />
      </div>
      <ul className={styles.legend}>
        {shown.map(({ label, color, bytes }) => (
          <li key={label}>
            <i style={{ background: color }} aria-hidden="true" />
            {label} {formatBytes(bytes)}
          </li>
        ))}
      </ul>
    </div>
  );
}
