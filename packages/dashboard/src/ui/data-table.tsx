import type { ReactNode } from 'react';
import styles from './data-table.module.css';

interface DataTableProps {
  readonly label: string;
  readonly columns: readonly string[];
  /** Its columns are so few and short that they also fit on a narrow screen: it stays a table there. */
  readonly isShort?: boolean;
  /** Its rows; else on a narrow screen each cell is a line of its own, with its `data-label` before it. */
  readonly children: ReactNode;
}

export function DataTable({ label, columns, isShort = false, children }: DataTableProps) {
  return (
    <div className={styles.frame}>
      <table className={styles.table} data-short={isShort} aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
