import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { AuditEntry } from '../api/audit.ts';
import { formatTime } from '../format/age.ts';
import { changesOf, type Change } from './changes-of.ts';
import styles from './audit.module.css';

const SHOWN = 8;
const SHORT_ID = 20;

export function AuditRow({ entry, withObject }: { readonly entry: AuditEntry; readonly withObject: boolean }) {
  const { actor, object } = entry;
  return (
    <tr data-audit={entry.id} data-action={entry.action}>
      <td data-label="When" className={styles.time}>
        {formatTime(entry.atMs)}
      </td>
      <td data-label="Who">
        <span>
          {actor.name}
          <small>
            {actor.kind}
            {actor.remoteAddress !== undefined && ` · ${actor.remoteAddress}`}
          </small>
        </span>
      </td>
      <td data-label="Action">
        <code className={styles.action}>{entry.action}</code>
      </td>
      {withObject && (
        <td data-label="Object">
          <span>
            <ObjectName kind={object.kind} id={object.id} />
            <small>
              {object.kind}
              {entry.group !== '/' && ` · ${entry.group}`}
            </small>
          </span>
        </td>
      )}
      <td data-label="Changed">
        <Changes changes={changesOf(entry.before, entry.after)} />
      </td>
    </tr>
  );
}

function Changes({ changes }: { readonly changes: readonly Change[] }) {
  const [all, setAll] = useState(false);
  const hidden = all ? 0 : changes.length - SHOWN;
  return (
    <ul className={styles.changes}>
      {changes.slice(0, all ? changes.length : SHOWN).map(({ path, before, after }) => (
        <li key={path}>
          {path !== '' && <span className={styles.path}>{path}</span>}
          {before !== undefined && <del>{before}</del>} {after !== undefined && <ins>{after}</ins>}
        </li>
      ))}
      {hidden > 0 && (
        <li>
          <button type="button" className={styles.more} onClick={() => setAll(true)}>
            {hidden} more
          </button>
        </li>
      )}
    </ul>
  );
}

function ObjectName({ kind, id }: { readonly kind: string; readonly id: string }) {
  if (kind === 'device') {
    return (
      <Link to="/devices/$deviceId" params={{ deviceId: id }} search={{ tab: 'history' }}>
        {id}
      </Link>
    );
  }
  return /^[0-9a-f]{64}$/.test(id) ? <code title={id}>{id.slice(0, SHORT_ID)}…</code> : id;
}
