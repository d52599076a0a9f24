import { useState } from 'react';
import { fetchShadowHistory, type ShadowChange, type ShadowName } from '../api/shadows.ts';
import { useServices } from '../app/services.ts';
import { formatTime } from '../format/age.ts';
import { leavesOf, pathText } from '../format/json-paths.ts';
import { Badge } from '../ui/badge.tsx';
import { EmptyNote } from '../ui/empty-note.tsx';
import { PagedTable } from '../ui/paged-table.tsx';
import { usePages } from '../ui/use-pages.ts';
import { valueText } from './shadow-words.ts';
import styles from './shadow.module.css';

const SHOWN = 6;
const SECTIONS = ['desired', 'reported', 'inherited'] as const;

/** What was written to a shadow, by whom, the newest first. */
export function ShadowHistory({ name }: { readonly name: ShadowName }) {
  const { client } = useServices();
  const pages = usePages({
    key: ['shadow', name.device, 'history', name.name],
    fetch: (cursor, signal) => fetchShadowHistory(client, name, cursor, signal),
  });
  return (
    <section className={styles.section} aria-label="History of this shadow">
      <h2>History</h2>
      <PagedTable
        label="Changes of this shadow"
        columns={['When', 'Who', 'Version', 'What was written']}
        pages={pages}
        row={(change) => <HistoryRow key={`${change.version} ${change.atMs}`} change={change} />}
        empty={<EmptyNote title="Nothing was written yet" />}
      />
    </section>
  );
}

function HistoryRow({ change }: { readonly change: ShadowChange }) {
  const [kind, id] = split(change.by);
  return (
    <tr data-version={change.version}>
      <td data-label="When" className={styles.time}>
        {formatTime(change.atMs)}
      </td>
      <td data-label="Who">
        <span>
          {id}
          <small>{kind.replaceAll('-', ' ')}</small>
        </span>
      </td>
      <td data-label="Version">{change.version}</td>
      <td data-label="Written">{change.isDeletion ? <Badge tone="bad">removed</Badge> : <Written change={change} />}</td>
    </tr>
  );
}

function Written({ change }: { readonly change: ShadowChange }) {
  const [all, setAll] = useState(false);
  const lines = SECTIONS.flatMap((section) => linesOf(section, change[section]));
  if (lines.length === 0) return <span className={styles.none}>nothing new</span>;
  const hidden = all ? 0 : lines.length - SHOWN;
  return (
    <ul className={styles.changes}>
      {lines.slice(0, all ? lines.length : SHOWN).map(({ section, label, value }) => (
        <li key={`${section} ${label}`}>
          <span>{section}</span>
          <code>{label}</code> {value === null ? <del>taken away</del> : <code>{valueText(value)}</code>}
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

function linesOf(section: string, written: ShadowChange['desired']) {
  if (written === undefined) return [];
  if (written === null) return [{ section, label: 'all of it', value: null }];
  return leavesOf(written).map(([path, value]) => ({ section, label: pathText(path), value }));
}

/** `user:ann` */
function split(by: string): readonly [kind: string, id: string] {
  const colon = by.indexOf(':');
  return [by.slice(0, colon), by.slice(colon + 1)];
}
