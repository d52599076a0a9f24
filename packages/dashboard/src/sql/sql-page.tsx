import { useMutation } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { runSql } from '../api/sql.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { SqlEditor } from './sql-editor.tsx';
import { SQL_EXAMPLES, SQL_TABLES } from './sql-examples.ts';
import { SqlFault } from './sql-fault.tsx';
import styles from './sql.module.css';
import { SqlResult } from './sql-result.tsx';

const route = getRouteApi('/telemetry/sql');
const FIRST = SQL_EXAMPLES[0]?.sql ?? '';
/** More are of no use on a page; a file has them all. */
const MOST_ROWS = 1_000;

/** SQL over points, hours, days, the archive and devices. */
export function SqlPage() {
  const { client } = useServices();
  const { may } = useWho();
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const [sql, setSql] = useState(q ?? FIRST);
  const running = useRef<AbortController>(undefined);
  const run = useMutation({
    mutationFn: async (text: string) => {
      running.current = new AbortController();
      return await runSql(client, text, MOST_ROWS, running.current.signal);
    },
  });
  useEffect(() => () => running.current?.abort(), []);
  const start = () => {
    const text = sql.trim();
    if (text === '' || run.isPending) return;
    void navigate({ search: { q: text }, replace: true });
    run.mutate(sql);
  };
  const cancel = () => {
    running.current?.abort();
    run.reset();
  };
  if (!may('telemetry:read')) return <NotAllowed permission="telemetry:read" />;
  return (
    <section className={styles.page} aria-label="SQL">
      <div className={styles.examples} role="group" aria-label="Examples">
        <span>Examples</span>
        {SQL_EXAMPLES.map((example) => (
          <button key={example.label} type="button" onClick={() => setSql(example.sql)}>
            {example.label}
          </button>
        ))}
      </div>
      <SqlEditor sql={sql} isRunning={run.isPending} onChange={setSql} onRun={start} onCancel={cancel} />
      {run.isError && <SqlFault error={run.error} sql={run.variables} />}
      {run.data !== undefined && <SqlResult answer={run.data} sql={run.variables} />}
      {run.isIdle && <Tables />}
    </section>
  );
}

function Tables() {
  return (
    <dl className={styles.tables} aria-label="Tables">
      {SQL_TABLES.map(({ name, about, columns }) => (
        <div key={name}>
          <dt>
            <code>{name}</code> {about}
          </dt>
          <dd>{columns}</dd>
        </div>
      ))}
    </dl>
  );
}
