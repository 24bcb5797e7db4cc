//! Private servers, scenarios, load and faults.
