import { Button } from '@mantine/core';
import { useState } from 'react';
import { targetWords } from '../targets/target.ts';
import { Badge } from '../ui/badge.tsx';
import { DataTable } from '../ui/data-table.tsx';
import { When } from '../ui/when.tsx';
import { valueText } from './shadow-words.ts';
import styles from './shadow.module.css';
import type { DesiredValue, ShadowRow, StampedValue } from './shadow-rows.ts';

interface ShadowTableProps {
  readonly rows: readonly ShadowRow[];
  /** Absent: it may not be changed. */
  readonly onEdit: ((row: ShadowRow) => void) | undefined;
}

/** Each field with what is desired of it and what is reported. */
export function ShadowTable({ rows, onEdit }: ShadowTableProps) {
  return (
    <DataTable label="Fields of this shadow" columns={['Field', 'Desired', 'Reported', ...(onEdit === undefined ? [] : [''])]}>
      {rows.map((row) => (
        <tr key={row.label} className={styles.row} data-field={row.label} data-differs={row.differs}>
          <td data-label="Field">
            <span>
              <span className={styles.label}>{row.label}</span>
              {row.differs && (
                <small>
                  <Badge tone="warn">{row.isReported ? 'differs' : 'not reported'}</Badge>
                </small>
              )}
            </span>
          </td>
          <td data-label="Desired">
            <Desired desired={row.desired} />
          </td>
          <td data-label="Reported">
            <span>
              <Value stamped={row.reported} />
              {row.reported?.atMs !== undefined && (
                <small>
                  <When timeMs={row.reported.atMs} />
                </small>
              )}
            </span>
          </td>
          {onEdit !== undefined && (
            <td className={styles.action}>
              <Button
                variant="default"
                size="compact-xs"
                aria-label={`${editWord(row)} ${row.label}`}
                onClick={() => onEdit(row)}
              >
                {editWord(row)}
              </Button>
            </td>
          )}
        </tr>
      ))}
    </DataTable>
  );
}

function editWord({ desired }: ShadowRow): string {
  if (desired === undefined) return 'Set';
  return desired.isInherited ? 'Override' : 'Change';
}

function Desired({ desired }: { readonly desired: DesiredValue | undefined }) {
  return (
    <span>
      <Value stamped={desired} isInherited={desired?.isInherited === true} />
      {desired !== undefined && (
        <small>
          {desired.isInherited && `inherited${desired.from === undefined ? '' : ` from ${targetWords(desired.from)}`}`}
          {!desired.isInherited && desired.over !== undefined && (
            <>
              over {valueText(desired.over)} {desired.from !== undefined && `of ${targetWords(desired.from)}`}
            </>
          )}
          {desired.atMs !== undefined && (
            <>
              {(desired.isInherited || desired.over !== undefined) && ' · '}
              <When timeMs={desired.atMs} />
            </>
          )}
        </small>
      )}
    </span>
  );
}

interface ValueProps {
  readonly stamped: StampedValue | undefined;
  readonly isInherited?: boolean;
}

/** A value, which lights up when it is written while one looks at it. */
function Value({ stamped, isInherited = false }: ValueProps) {
  const now = stamped === undefined ? '' : `${stamped.version} ${valueText(stamped.value)}`;
  const [first] = useState(now);
  if (stamped === undefined) return <span className={styles.none}>–</span>;
  return (
    <span key={now} className={styles.value} data-fresh={now !== first}>
      <span className={isInherited ? styles.inherited : undefined}>{valueText(stamped.value)}</span>
    </span>
  );
}
