import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { countDevices, type DeviceQuery } from '../api/devices.ts';
import { fetchGroup } from '../api/groups.ts';
import { groupsWith } from '../api/who.ts';
import { useServices } from '../app/services.ts';
import { formatCount } from '../format/number-format.ts';
import { useWho } from '../session/who.ts';
import styles from './devices-page.module.css';

/** How many devices: of a group the server knows it at once; what matches a search is counted when asked for. */
export function DeviceCount({ query }: { readonly query: DeviceQuery }) {
  const searched = query.q !== undefined || query.filter !== undefined;
  return searched ? <MatchCount key={JSON.stringify(query)} query={query} /> : <GroupCount group={query.group} />;
}

function GroupCount({ group }: { readonly group: string | undefined }) {
  const { client } = useServices();
  const { who } = useWho();
  const [only, ...others] = groupsWith(who, 'groups:read');
  const counted = group ?? (others.length === 0 ? only : undefined);
  const { data } = useQuery({
    queryKey: ['devices', 'group-count', counted],
    queryFn: ({ signal }) => fetchGroup(client, counted ?? '/', signal),
    enabled: counted !== undefined,
  });
  return data === undefined ? null : <span className={styles.total}>{formatCount(data.devicesBelow)}</span>;
}

function MatchCount({ query }: { readonly query: DeviceQuery }) {
  const { client } = useServices();
  const [asked, setAsked] = useState(false);
  const { data, isFetching } = useQuery({
    queryKey: ['devices', 'count', query],
    queryFn: ({ signal }) => countDevices(client, query, signal),
    enabled: asked,
  });
  if (data !== undefined) return <span className={styles.total}>{formatCount(data)}</span>;
  return (
    <button type="button" className={styles.count} disabled={isFetching} onClick={() => setAsked(true)}>
      {isFetching ? 'Counting…' : 'Count'}
    </button>
  );
}
