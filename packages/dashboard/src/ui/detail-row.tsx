import { useId, useState, type ReactNode } from 'react';
import styles from './detail-row.module.css';
import { Icon } from './icons.tsx';

interface DetailRowProps {
  /** Attributes of the row that tell what it is about. */
  readonly about: Readonly<Record<`data-${string}`, string>>;
  /** Before the first cell, on a narrow screen. */
  readonly label: string;
  /** What the row is called: its button opens the details. */
  readonly title: ReactNode;
  /** Below the title. */
  readonly note?: ReactNode;
  /** The other cells. */
  readonly children: ReactNode;
  readonly columns: number;
  /** Made when the row is opened. */
  readonly details: () => ReactNode;
}

/** A row of a table that opens to more about it. */
export function DetailRow({ about, label, title, note, children, columns, details }: DetailRowProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <>
      <tr {...about} className={styles.row} data-open={open}>
        <td data-label={label}>
          <span>
            <button
              type="button"
              className={styles.opener}
              aria-expanded={open}
              aria-controls={open ? id : undefined}
              onClick={() => setOpen(!open)}
            >
              <Icon name="forward" size={11} />
              <span>{title}</span>
            </button>
            {note !== undefined && <small className={styles.note}>{note}</small>}
          </span>
        </td>
        {children}
      </tr>
      {open && (
        <tr id={id} className={styles.details}>
          <td colSpan={columns}>{details()}</td>
        </tr>
      )}
    </>
  );
}
