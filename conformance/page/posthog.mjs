//! Conformance: an application's page with PostHog's browser SDK, as npm has it.

import posthog from 'posthog-js';

window.posthog = posthog;
