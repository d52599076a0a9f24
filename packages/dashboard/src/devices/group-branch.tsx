import { useState } from 'react';
import { fetchGroups, type Group } from '../api/groups.ts';
import { useServices } from '../app/services.ts';
import { formatCompact, formatCount } from '../format/number-format.ts';
import { Icon } from '../ui/icons.tsx';
import { usePages } from '../ui/use-pages.ts';
import styles from './group-tree.module.css';

interface BranchProps {
  readonly selected: string | undefined;
  readonly onSelect: (group: string) => void;
}

const REFETCH_MS = 60_000;

/** The groups right below one. */
export function GroupBranch({ parent, ...rest }: BranchProps & { readonly parent: string }) {
  const { client } = useServices();
  const pages = usePages({
    key: ['groups', parent],
    fetch: (cursor, signal) => fetchGroups(client, parent, cursor, signal),
    refetchEveryMs: REFETCH_MS,
  });
  if (pages.error !== null) return <p className={styles.note}>{pages.error.message}</p>;
  return (
    <ul className={styles.branch}>
      {pages.items.map((group) => (
        <GroupNode key={group.path} group={group} parent={parent} {...rest} />
      ))}
      {!pages.isPending && pages.items.length === 0 && <li className={styles.note}>No groups yet.</li>}
      {pages.hasMore && (
        <li>
          <button type="button" className={styles.more} onClick={pages.fetchMore}>
            More groups
          </button>
        </li>
      )}
    </ul>
  );
}

function GroupNode({ group, parent, selected, onSelect }: BranchProps & { readonly group: Group; readonly parent: string }) {
  const leadsToSelected = selected?.startsWith(`${group.path}/`) === true;
  const [open, setOpen] = useState(leadsToSelected);
  // Whoever sees only nodes further below gets those here: then the whole path tells where they are.
  const label = group.path.slice(parent === '/' ? 1 : parent.length + 1);
  return (
    <li>
      <div className={styles.node} data-selected={group.path === selected} data-group={group.path}>
        {group.groups > 0 ? (
          <button
            type="button"
            className={styles.opener}
            data-open={open}
            aria-expanded={open}
            aria-label={`Groups in ${group.path}`}
            onClick={() => setOpen(!open)}
          >
            <Icon name="forward" size={12} />
          </button>
        ) : (
          <i className={styles.opener} />
        )}
        <button
          type="button"
          className={styles.name}
          title={group.path}
          aria-current={group.path === selected ? 'true' : undefined}
          onClick={() => onSelect(group.path)}
        >
          {label}
        </button>
        <span className={styles.count} title={`${formatCount(group.devicesBelow)} devices`}>
          {formatCompact(group.devicesBelow)}
        </span>
      </div>
      {open && group.groups > 0 && <GroupBranch parent={group.path} selected={selected} onSelect={onSelect} />}
    </li>
  );
}
