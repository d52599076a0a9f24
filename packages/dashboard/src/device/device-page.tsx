import { ActionIcon, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import { fetchDevice, type Device } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { CommandsTab } from '../commands/commands-tab.tsx';
import { RemoveDeviceDialog } from '../devices/remove-device-dialog.tsx';
import { DeviceJobsTab } from '../jobs/device-jobs-tab.tsx';
import { useWho } from '../session/who.ts';
import { ShadowTab } from '../shadow/shadow-tab.tsx';
import { ConnectedDot } from '../ui/connected-dot.tsx';
import { Icon } from '../ui/icons.tsx';
import { PageTabs } from '../ui/page-tabs.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { AccessTab } from './access-tab.tsx';
import { CertificatesTab } from './certificates-tab.tsx';
import styles from './device-page.module.css';
import { DevicePageSkeleton } from './device-page-skeleton.tsx';
import type { DeviceTab } from './device-tabs.ts';
import { HistoryTab } from './history-tab.tsx';
import { OverviewTab } from './overview-tab.tsx';

const route = getRouteApi('/devices/$deviceId');
/** Whether it is connected does not come with the live feed. */
const REFETCH_MS = 10_000;

const TABS = [
  { key: 'overview', label: 'Overview', permission: 'devices:read' },
  { key: 'shadow', label: 'Shadow', permission: 'shadows:read' },
  { key: 'commands', label: 'Commands', permission: 'commands:read' },
  { key: 'jobs', label: 'Jobs', permission: 'jobs:read' },
  { key: 'certificates', label: 'Certificates', permission: 'certificates:read' },
  { key: 'access', label: 'Access', permission: 'policies:read' },
  { key: 'history', label: 'History', permission: 'audit:read' },
] as const;

/** One device: what it is and sends, what is asked of it, how it proves who it is, what it may do, what was done to it. */
export function DevicePage() {
  const { client } = useServices();
  const { may } = useWho();
  const { deviceId } = route.useParams();
  const { tab: wanted = 'overview' } = route.useSearch();
  const navigate = route.useNavigate();
  const [removing, setRemoving] = useState(false);
  const { data, error, refetch } = useQuery({
    queryKey: ['device', deviceId],
    queryFn: ({ signal }) => fetchDevice(client, deviceId, signal),
    refetchInterval: REFETCH_MS,
  });
  const tabs = TABS.filter(({ permission }) => may(permission, data?.group));
  const tab = tabs.some(({ key }) => key === wanted) ? wanted : 'overview';
  return (
    <>
      <div className={styles.head}>
        <Link to="/" className={styles.back} aria-label="All devices">
          <Icon name="back" />
        </Link>
        <div className={styles.title}>
          <h1 title={deviceId}>{deviceId}</h1>
          {data?.name !== undefined && <span>{data.name}</span>}
        </div>
        {data !== undefined && (
          <span className={styles.connected}>
            <ConnectedDot connectivity={data.connectivity} />
            {data.connectivity?.connected === true ? 'connected' : 'not connected'}
          </span>
        )}
        {data !== undefined && may('devices:delete', data.group) && (
          <Tooltip label="Remove this device">
            <ActionIcon variant="default" size={36} aria-label={`Remove ${deviceId}`} onClick={() => setRemoving(true)}>
              <Icon name="trash" />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      {error !== null && <ProblemNotice error={error} onRetry={() => void refetch()} />}
      {error === null && data === undefined && <DevicePageSkeleton />}
      {error === null && data !== undefined && (
        <>
          <PageTabs
            label="About this device"
            tabs={tabs}
            active={tab}
            onSelect={(key) => void navigate({ search: key === 'overview' ? {} : { tab: key } })}
          />
          <TabContent tab={tab} device={data} />
        </>
      )}
      <RemoveDeviceDialog
        device={removing ? deviceId : undefined}
        onClose={() => setRemoving(false)}
        onRemoved={() => void navigate({ to: '/' })}
      />
    </>
  );
}

function TabContent({ tab, device }: { readonly tab: DeviceTab; readonly device: Device }) {
  switch (tab) {
    case 'overview':
      return <OverviewTab device={device} />;
    case 'shadow':
      return <ShadowTab device={device} />;
    case 'commands':
      return <CommandsTab device={device} />;
    case 'jobs':
      return <DeviceJobsTab device={device} />;
    case 'certificates':
      return <CertificatesTab device={device} />;
    case 'access':
      return <AccessTab device={device.id} />;
    case 'history':
      return <HistoryTab device={device.id} />;
  }
}
