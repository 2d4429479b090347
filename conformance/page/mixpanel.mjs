//! Conformance: an application's page with Mixpanel's browser SDK, as npm has it.

import mixpanel from 'mixpanel-browser';

window.mixpanel = mixpanel;
