import styles from './device-row-skeleton.module.css';

/** A row's place while the list loads: of the same height, so that nothing moves. */
export function DeviceRowSkeleton() {
  return (
    <li className={styles.row} aria-hidden="true">
      <i />
      <i />
      <i />
    </li>
  );
}
