import { Link } from '@tanstack/react-router';
import type { AuditEntry } from '../api/audit.ts';
import { formatTime } from '../format/age.ts';
import { changesOf } from './changes-of.ts';
import styles from './audit.module.css';

const SHOWN = 8;
const SHORT_ID = 20;

export function AuditRow({ entry, withObject }: { readonly entry: AuditEntry; readonly withObject: boolean }) {
  const { actor, object } = entry;
  const changes = changesOf(entry.before, entry.after);
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
        <code>{entry.action}</code>
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
        <ul className={styles.changes}>
          {changes.slice(0, SHOWN).map(({ path, before, after }) => (
            <li key={path}>
              <span className={styles.path}>{path}</span>
              {before !== undefined && <del>{before}</del>} {after !== undefined && <ins>{after}</ins>}
            </li>
          ))}
          {changes.length > SHOWN && <li className={styles.path}>{changes.length - SHOWN} more</li>}
        </ul>
      </td>
    </tr>
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
