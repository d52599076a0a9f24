import styles from './device-page.module.css';

/** The place of the tiles while the latest values load. */
export function DevicePageSkeleton() {
  return (
    <div className={styles.skeleton} aria-busy="true" aria-label="Loading the latest values">
      {Array.from({ length: 6 }, (_, i) => (
        <i key={i} />
      ))}
    </div>
  );
}
