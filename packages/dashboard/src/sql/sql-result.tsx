import type { SqlAnswer } from '../api/sql.ts';
import { formatCount } from '../format/number-format.ts';
import { Fact, Facts } from '../ui/facts.tsx';
import styles from './sql.module.css';
import { cellText, isNumberType, readFacts } from './sql-words.ts';

/** The rows of an answer in a table that scrolls in its own place, and what was read for them. */
export function SqlResult({ answer, sql }: { readonly answer: SqlAnswer; readonly sql: string }) {
  const { columns, rows, limited, statistics } = answer;
  const numeric = columns.map(({ type }) => isNumberType(type));
  return (
    <div className={styles.result} data-testid="sql-result" data-rows={rows.length}>
      <p className={styles.count}>
        {rows.length === 0 ? 'No rows' : rows.length === 1 ? 'One row' : `${formatCount(rows.length)} rows`}
        {limited && ': the first ones. A file has them all.'}
      </p>
      {columns.length > 0 && (
        <div className={styles.frame} tabIndex={0} role="region" aria-label={`Result of ${sql.slice(0, 60)}`}>
          <table className={styles.table} aria-label="Result">
            <thead>
              <tr>
                {columns.map(({ name, type }, at) => (
                  <th key={`${at} ${name}`} scope="col" data-number={numeric[at]}>
                    {name}
                    <small>{type.toLowerCase()}</small>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, index) => (
                <tr key={index}>
                  {row.map((value, at) => (
                    <td key={columns[at]?.name ?? at} data-number={numeric[at]}>
                      {value === null ? <i>null</i> : cellText(value)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Facts>
        {readFacts(statistics).map(([name, text]) => (
          <Fact key={name} name={name}>
            {text}
          </Fact>
        ))}
      </Facts>
    </div>
  );
}
