import { getRouteApi } from '@tanstack/react-router';
import { useWho } from '../session/who.ts';
import { NotAllowed } from '../ui/not-allowed.tsx';
import { PageTabs } from '../ui/page-tabs.tsx';
import { AttemptsTab } from './attempts-tab.tsx';
import { ClaimsTab } from './claims-tab.tsx';
import { QuarantineTab } from './quarantine-tab.tsx';
import type { ProvisioningTab } from './provisioning-tabs.ts';
import { TemplatesTab } from './templates-tab.tsx';

const route = getRouteApi('/provisioning');
const TABS = [
  { key: 'attempts', label: 'Attempts' },
  { key: 'quarantine', label: 'Quarantine' },
  { key: 'claims', label: 'Claim batches' },
  { key: 'templates', label: 'Templates' },
] as const;

/** How devices come in by themselves, and what became of those that tried. */
export function ProvisioningPage() {
  const { may } = useWho();
  const { tab = 'attempts' } = route.useSearch();
  const navigate = route.useNavigate();
  if (!may('provisioning:read')) return <NotAllowed permission="provisioning:read" />;
  return (
    <>
      <h1>Provisioning</h1>
      <PageTabs label="About provisioning" tabs={TABS} active={tab} onSelect={(key) => void navigate({ search: { tab: key } })} />
      <TabContent tab={tab} />
    </>
  );
}

function TabContent({ tab }: { readonly tab: ProvisioningTab }) {
  switch (tab) {
    case 'attempts':
      return <AttemptsTab />;
    case 'quarantine':
      return <QuarantineTab />;
    case 'claims':
      return <ClaimsTab />;
    case 'templates':
      return <TemplatesTab />;
  }
}
