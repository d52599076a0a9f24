import { getRouteApi } from '@tanstack/react-router';
import { BulkTab } from '../bulk/bulk-tab.tsx';
import { DefaultsTab } from '../bulk/defaults-tab.tsx';
import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { PageTabs } from '../ui/page-tabs.tsx';
import { JobsTab } from './jobs-tab.tsx';

const route = getRouteApi('/jobs');
const TABS = [
  { key: 'jobs', label: 'Jobs', permission: 'jobs:read' },
  { key: 'settings', label: 'Bulk settings', permission: 'shadows:read' },
  { key: 'defaults', label: 'Defaults', permission: 'shadows:read' },
] as const;

/** What is asked of many devices at once. */
export function JobsPage() {
  const { may } = useWho();
  const { tab: wanted } = route.useSearch();
  const navigate = route.useNavigate();
  const tabs = TABS.filter(({ permission }) => may(permission));
  const tab = tabs.find(({ key }) => key === wanted) ?? tabs[0];
  if (tab === undefined) return <NotAllowed permission="jobs:read" />;
  return (
    <>
      <h1>Jobs</h1>
      <PageTabs
        label="About many devices"
        tabs={tabs}
        active={tab.key}
        onSelect={(key) => void navigate({ search: key === 'jobs' ? {} : { tab: key } })}
      />
      {tab.key === 'jobs' && <JobsTab />}
      {tab.key === 'settings' && <BulkTab />}
      {tab.key === 'defaults' && <DefaultsTab />}
    </>
  );
}
